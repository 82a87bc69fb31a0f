"""Batch normalisation over all processes, on any device."""

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.layer_sync import LayerSync
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


class AnyDeviceSyncBatchNorm(nn.SyncBatchNorm):
    """PyTorch's SyncBatchNorm on GPUs; elsewhere, where PyTorch refuses, the same sums in differentiable reductions."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [N, C, ...] by the statistics of every process's rows."""
        if input.is_cuda or not self.training or not dist.is_initialized():
            return super().forward(input)
        axes = [0, *range(2, input.dim())]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = torch.full((1,), float(input.numel() // input.shape[1]), dtype=input.dtype)
        sums = all_reduce(torch.cat([input.sum(axes), count]))
        mean, total = sums[:-1] / sums[-1], sums[-1].detach()
        centred = input - mean.view(shape)
        variance = all_reduce(centred.square().sum(axes)) / total
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach() * total / (total - 1))
        normalised = centred * (variance + self.eps).rsqrt().view(shape)
        return normalised * self.weight.view(shape) + self.bias.view(shape) if self.affine else normalised

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


class BatchNormSync(LayerSync):
    """Lightning plugin: every BatchNorm of the model takes its statistics over all processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Convert in place of Lightning's own plugin, which works on GPUs alone."""
        model = convert_sync_batchnorm(model)
        for module in model.modules():
            if type(module) is nn.SyncBatchNorm:
                module.__class__ = AnyDeviceSyncBatchNorm
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Leave the layers: outside training they compute what BatchNorm computes, under the same names."""
        return model
