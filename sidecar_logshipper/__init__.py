"""The sidecar: ships the log files of a pod to a central log server and loses nothing."""
