"""Batch normalisation over all processes, on any device."""

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.layer_sync import LayerSync
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


class AnyDeviceSyncBatchNorm(_BatchNorm):
    """PyTorch's SyncBatchNorm where PyTorch refuses, outside of GPUs: the same sums in differentiable reductions.

    It is no subclass of `nn.SyncBatchNorm`, which DistributedDataParallel accepts on GPUs alone.

    Attributes:
        process_group: None, all processes; a BatchNorm without this attribute does not synchronise.
    """

    process_group = None

    def forward(self, input: Tensor) -> Tensor:
        """Normalise [N, C, ...] by the statistics of all processes' rows; timm's layers add their activation."""
        alone = not self.training or not dist.is_initialized()
        normalised = super().forward(input) if alone else self._normalise(input)
        for name in ("drop", "act"):
            normalised = getattr(self, name, nn.Identity())(normalised)
        return normalised

    def _normalise(self, input: Tensor) -> Tensor:
        x = input.to(torch.promote_types(input.dtype, torch.float32))  # sums of bfloat16 lose their digits
        axes = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        count = x.new_full((1,), x.numel() // x.shape[1])
        sums = all_reduce(torch.cat([x.sum(axes), count]))
        mean, total = sums[:-1] / sums[-1], sums[-1].detach()
        centred = x - mean.view(shape)
        variance = all_reduce(centred.square().sum(axes)) / total
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach() * total / (total - 1))
        normalised = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any: the layer in whose place this one stands has been built for its inputs."""


class BatchNormSync(LayerSync):
    """Lightning plugin: every BatchNorm of the model takes its statistics over all processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Convert: to PyTorch's layers for a GPU, where `model.device` says it will be; else to ours, in place."""
        if getattr(model, "device", torch.device("cpu")).type == "cuda":
            return convert_sync_batchnorm(model)
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.__class__ = AnyDeviceSyncBatchNorm
        return model

    def revert(self, model: nn.Module) -> nn.Module:
        """Leave the layers: outside training they compute what BatchNorm computes, under the same names."""
        return model
