"""REST, pages and the composition root: the only room that knows every other.

``http/`` is the shell every request passes, ``resources/`` holds a module per resource, ``operations/`` what
an operator looks at, ``app.py`` puts the process together.
"""
