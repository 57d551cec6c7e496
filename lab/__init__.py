"""EC2 on one machine: moto as the control plane, booting systemd-nspawn machines as the data plane.

Nothing outside this folder and the Makefile knows that it exists: a program reaches it as it would
reach AWS, through ``AWS_ENDPOINT_URL``.
"""
