"""A method of one's own for avs-lightning: network, front end for sound, head, two training stages."""
