"""Which kernels of a GPU attention takes."""

import torch


def leave_cudnn_attention() -> None:
    """Have sdpa choose among all kernels but cuDNN's, in this process; on a CPU that means nothing.

    Since torch 2.11 cuDNN's come first on an H100 and later. They are planned anew for every length of sequence, which
    for chats and prompts takes many times as long as the attention; and with a mask gradients can be NaN (pytorch issue
    196678) and tokens wrong (193893).
    """
    torch.backends.cuda.enable_cudnn_sdp(False)
