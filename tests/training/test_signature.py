"""Which settings can change what a run computes; which do and which do not is tested with the cells of studies."""

from avs_lightning.training.signature import content


def test_a_name_that_is_no_file_stands_for_itself() -> None:
    assert content("imagenet") == "imagenet"
    assert content(None) is None
