"""Who is told of which alerts, together with which others, and when: rules in, decisions out. Pure.

facts -> matcher -> decide -> group -> grouping; rules are what people write, a summary is what a group says.
"""
