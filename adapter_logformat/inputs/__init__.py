"""Inputs that are no followed file: what apps send over UDP, TCP, unix sockets, a FIFO or standard input.

`framing` cuts streams into messages and lines, `intake` bounds what waits, `listeners` holds the descriptors.
"""
