import pytest
import torch

from avs_lightning.models.neck import DILATIONS, DilatedSum, Neck


@pytest.mark.parametrize("size", [(2, 2), (6, 6), (7, 7), (4, 13), (20, 20)])
def test_is_the_sum_of_four_dilated_convolutions(size):
    torch.manual_seed(0)
    neck = DilatedSum(3, 5).double()
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 5, *size, dtype=torch.float64)

    def gradients(y):
        grads = torch.autograd.grad((y * weights).sum(), [x, *neck.parameters()], materialize_grads=True)
        return [y, *grads]

    expected = sum(
        torch.nn.functional.conv2d(x, conv.weight, conv.bias, padding=d, dilation=d)
        for d, conv in zip((3, 6, 12, 18), neck.convs, strict=True)
    )
    for found, wanted in zip(gradients(neck(x)), gradients(expected), strict=True):
        torch.testing.assert_close(found, wanted)


def test_weights_start_small():
    weights = torch.cat([conv.weight.flatten() for conv in DilatedSum(64, 64).convs])
    assert weights.std().item() == pytest.approx(0.01, rel=0.02)


def test_each_stage_has_its_own():
    neck = Neck([4, 8], 6)
    shapes = [tuple(z.shape) for z in neck([torch.zeros(1, 4, 8, 8), torch.zeros(1, 8, 4, 4)])]
    assert shapes == [(1, 6, 8, 8), (1, 6, 4, 4)]
    assert len(list(neck.parameters())) == 2 * 2 * len(DILATIONS)
