"""Keeps the syntax trees of some modules, as an editor's server does: every node knows its parent, names are
indexed, and the documents that were looked at last are in a cache that is a doubly linked list."""

import argparse
import ast
import json
import textwrap


class Entry:
    def __init__(self, document):
        self.document = document
        self.older = self.newer = self


class Cache:
    """Entries in a ring, the newest beside the sentinel."""

    def __init__(self):
        self.sentinel = Entry(None)
        self.entries = {}

    def add(self, document):
        entry = Entry(document)
        newest = self.sentinel.older
        newest.newer = self.sentinel.older = entry
        entry.older, entry.newer = newest, self.sentinel
        self.entries[document.name] = entry


class Document:
    def __init__(self, module):
        with open(module.__file__, encoding="utf-8") as file:
            self.text = file.read()
        self.name = module.__name__
        self.tree = ast.parse(self.text)
        self.names = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node
            if isinstance(node, ast.Name):
                self.names.setdefault(node.id, []).append(node)


cache = Cache()
for imported in (json, textwrap, argparse):
    cache.add(Document(imported))
outline = json.loads(
    json.dumps(
        {
            name: [
                {"kind": type(node).__name__, "name": node.name, "line": node.lineno}
                for node in ast.walk(entry.document.tree)
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            ]
            for name, entry in cache.entries.items()
        }
    )
)
