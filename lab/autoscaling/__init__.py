"""EC2 Auto Scaling: groups whose machines boot and end, their health, and instance refreshes.

moto has the groups and their calls; what happens between two calls is done here, in the lab's own time (`clock`).
A group's members (`members`) are brought to what it asks for (`groups`), a refresh replaces them (`rolling`), and
`engine` carries out what both decide by calls to the lab's own EC2 (`launching`). `gaps` and `api` are the parts of
the API that moto lacks. Sources are pages of the Amazon EC2 Auto Scaling user guide and its API reference.
"""
