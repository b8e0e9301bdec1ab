"""How a lesson becomes pages: its blocks, its prose, its claims, the site."""
