"""Everything that crosses a socket or HTTP as JSON, each message once, as a frozen and strictly checked model.

`vocabulary` has the words (statuses, kinds, bounds), `fields` the kinds of fields, `run` what is known of a run and
what happens to it, `commands` what people ask of it, `viewer` the socket of a page, `link` the worker link, `studies`
the studies and `api` the bodies of HTTP. `sentences` says what is wrong with a message that is none. The page's
declarations (`scripts/page_types.py`) and the API's description are made from these models.
"""
