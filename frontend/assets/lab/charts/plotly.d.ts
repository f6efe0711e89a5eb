// What the charts use of plotly.js, which is loaded as a script of its own.

export interface PlotlyLibrary {
  react(box: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown>;
}

declare global {
  interface Window {
    Plotly?: PlotlyLibrary;
  }
}
