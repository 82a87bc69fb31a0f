"""One's own for avs-lightning: a network with a front end for sound, a head, two training stages, a data set."""
