"""The log server of the demo: the place outside the pod where every record must arrive, once."""
