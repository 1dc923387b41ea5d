"""Zhixin (智信): consumer lending with open eyes, and help when it goes wrong."""
