"""What all tests need: to be ended by what ends a process, also as a shell's background job."""

import signal

from pipeline.processes import hear

hear(signal.SIGINT, signal.SIGTERM)
