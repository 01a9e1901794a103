"""The live page: an aiohttp application, in a process of its own, over the stores of crawls.

`app` has the routes, `safety` who may ask, `sources` reads the stores on threads, `live` sends
fresh parts; each view is a module of `views`, made of parts that a fresh page and an event share.
"""
