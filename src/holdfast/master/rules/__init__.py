"""From the document to rules that are in force: compiled, issued, rolled out, taken back.

`deployment` is what is rolled out now; `activation` changes it.
"""
