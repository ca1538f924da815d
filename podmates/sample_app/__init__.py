"""The app of the demo: a small web shop that knows nothing of the mates, and stands for anyone's app."""
