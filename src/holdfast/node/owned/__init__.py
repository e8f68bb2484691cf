"""The repositories that this node owns, and what it remembers of each in its home.

`repositories` opens or makes them, `places` says where they lie, `keys` what opens them; `abilities`, `far_status`, `room_book` and
`seed_book` are what is known of one, `delivery_places` how many may deliver to it at once.
"""
