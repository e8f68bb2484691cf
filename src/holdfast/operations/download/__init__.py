"""Downloads: a file, or a folder as one archive, out of a point; made while it is sent, nothing is written in between.

Glossary
--------
member     one entry and what it is called in an archive (`members`)
pieces     the content of many files in their order, fetched in runs ahead of who takes it, verified (`pieces`)
tar, zip   archives as streams of bytes (`tar_stream`, `zip_stream`)
download   what somebody gets: its name, its size where it has one, its bytes from any place on (`download`)

Memory does not grow with what is downloaded, but for the list at the end of a zip (some 0.6 KB for each member) and the names of hard
links. What is lost breaks a download off: half an archive is never passed off as a whole one.
"""
