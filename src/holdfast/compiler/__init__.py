"""The drawing becomes rules: parse, check, compile, diff. Pure: text and values in, values out.

Glossary
--------
tree        YAML text as nodes with their places, nothing interpreted (`yaml_tree`)
document    the grammar as frozen values, names not yet resolved (`model.document`, made by `parse`)
frozen flow a flow with all it names, as it was when it was activated (`freeze`)
scene       the frozen flows that are compiled together, merged into one document
drawing     the scene with every name resolved: vertices know their nodes, movers their ends and what they carry
leg         one operation of one policy from where it starts (source or repository), through relays, to where it is kept
way         the movers that a promise of the rules runs over (`ways`), for showing rules on their drawing
pass        one named step under `passes/`; it takes values, returns values and adds diagnostics to a report

From outside use `parse.parse_document`, `compile.compile_flows`, `flow_errors`, `diff`, `edit`, `freeze`, `summary` and `ways`; the rest
is private.
"""
