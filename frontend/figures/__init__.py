"""Figures for dcc.Graph, each made from data by a pure function; plain dictionaries, so that nothing imports plotly."""
