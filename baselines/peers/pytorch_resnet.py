"""Images per second of PyTorch training a residual network on one thread: one JSON line for each case and format.

One update is a forward pass with batch norm over the batch, cross-entropy, a backward pass and a step of SGD with
Nesterov momentum 0.9 and weight decay, in 32-bit floats and PyTorch's eager mode. The images are one batch of random
numbers: loading and augmenting them lies outside. The cases are called as our benchmarks, `train/CASE`.
"""

import argparse

import common

# Network, side of the images, channels of the images, batch.
CASES = {
    "resnet-20/32x32/128": ("resnet-20", 32, 3, 128),
    "resnet-20/32x32/64": ("resnet-20", 32, 3, 64),
    "resnet-20/28x28/128": ("resnet-20", 28, 1, 128),
    "resnet-18/32x32/128": ("resnet-18", 32, 3, 128),
    "resnet-18/32x32/64": ("resnet-18", 32, 3, 64),
}
# Width of the stem and of the first stage, which doubles with each stage; blocks of each stage.
NETWORKS = {"resnet-20": (16, [3, 3, 3]), "resnet-18": (64, [2, 2, 2, 2])}
FORMATS = ["contiguous", "channels_last"]
CLASSES = 10


def network(name, channels):
    """Residual blocks of two 3x3 convolutions after a 3x3 stem; a 1x1 convolution where a block changes the shape."""
    from torch import nn

    def conv_norm(inputs, outputs, kernel, stride):
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs))

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = conv_norm(inputs, outputs, 3, stride)
            self.second = conv_norm(outputs, outputs, 3, 1)
            same = stride == 1 and inputs == outputs
            self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.second(self.relu(self.first(x)))
            y += self.shortcut(x)
            return self.relu(y)

    width, stages = NETWORKS[name]
    layers = [conv_norm(channels, width, 3, 1), nn.ReLU(inplace=True)]
    inputs = width
    for number, blocks in enumerate(stages):
        outputs = width << number
        for block in range(blocks):
            stride = 2 if number > 0 and block == 0 else 1
            layers.append(Block(inputs, outputs, stride))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES))


def updates(case, memory_format):
    """The network's number of parameters, and a function that makes one update and returns the loss."""
    import torch

    name, side, channels, batch = CASES[case]
    torch.manual_seed(0)
    layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[memory_format]
    net = network(name, channels).to(memory_format=layout).train()
    images = torch.randn(batch, channels, side, side).contiguous(memory_format=layout)
    labels = torch.randint(CLASSES, (batch,))
    # A small rate, since one batch again and again is soon learnt by heart.
    sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def update():
        sgd.zero_grad()
        loss = cross_entropy(net(images), labels)
        loss.backward()
        sgd.step()
        return loss.item()

    return sum(parameter.numel() for parameter in net.parameters()), update


def measure(case, memory_format, repetitions, seconds):
    """Times rounds of updates that last about `seconds`, or one update each where one takes longer."""
    parameters, update = updates(case, memory_format)
    # The first finds memory and kernels, the second says how long one takes.
    update()
    start = common.clock()
    loss = update()
    count = max(1, round(seconds / (common.clock() - start)))
    times = []
    for _ in range(repetitions):
        start = common.clock()
        for _ in range(count):
            loss = update()
        times.append((common.clock() - start) / count)
    if not loss < float("inf"):
        raise SystemExit(f"the loss of {case} is {loss}: a speed with such numbers says nothing")
    batch = CASES[case][-1]
    common.emit(
        what="pytorch_resnet",
        library="torch",
        case=case,
        format=memory_format,
        batch=batch,
        parameters=parameters,
        repetitions=repetitions,
        updates=count,
        images_per_second=round(batch * len(times) / sum(times), 1),
        fastest=round(batch / min(times), 1),
        versions=common.versions("torch"),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES, help="default: all, one after the other")
    parser.add_argument("--format", choices=FORMATS, help="how the images lie in memory (default: both)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a repetition, about")
    args = parser.parse_args()
    common.one_torch_thread()
    for case in [args.case] if args.case else CASES:
        for memory_format in [args.format] if args.format else FORMATS:
            measure(case, memory_format, args.repetitions, args.seconds)


if __name__ == "__main__":
    main()
