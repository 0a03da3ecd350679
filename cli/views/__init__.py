"""What a person sees: renderables made from plain data, and the loop that keeps them up to date.

Rule: whatever came from a job passes `hybridq.visible` and then stands as literal text; it is never
markup. Colour is never the only sign of anything. Views read no store and decide nothing.
"""
