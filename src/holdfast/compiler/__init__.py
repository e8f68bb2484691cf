"""The drawing becomes rules: parse, check, compile, diff. Pure: text and values in, values out."""
