"""The Jupyter Server host: alone may import jupyter_server and tornado."""
