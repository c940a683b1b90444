"""A graph of mediapipe 0.10.21 that sees one image after the other, in the thread that calls it.

The Solutions API hands every step of a graph to threads of its own, a hundred times an image, makes a class for each
result, and copies it through Python's messages. Without that, an image of a face takes a fifth less processor time.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt8

from facetalk.core.errors import UsageError

_STEP_US = 33_333
"""Time from one image to the next, as in the Solutions API."""


class MediaPipeGraph:
    """One of the graphs in mediapipe's wheel."""

    def __init__(self, mediapipe: Any, graph: str, output: str, *, options: Any = None, **inputs: bool | int) -> None:
        """Load the networks.

        Args:
            mediapipe: the module.
            graph: path of a `.binarypb` in the package.
            output: the stream of results, a list of messages.
            options: message with the options of the graph.
            inputs: what the graph is told once, by name.
        """
        package = Path(mediapipe.__file__).parent
        mediapipe.resource_util.set_resource_dir(str(package.parent))
        expanded = mediapipe.ValidatedGraphConfig()
        expanded.initialize(binary_graph_path=str(package / graph))
        config = import_module("mediapipe.framework.calculator_pb2").CalculatorGraphConfig.FromString(
            expanded.binary_config
        )
        del config.executor[:]
        config.executor.add(type="ApplicationThreadExecutor")
        if options is not None:
            del config.graph_options[:]
            config.graph_options.add().Pack(options)
        self._mediapipe, self._found, self._time_us = mediapipe, None, 0
        self._lock, self._is_open = Lock(), True
        self._graph = mediapipe.CalculatorGraph(graph_config=config)
        self._graph.observe_output_stream(output, self._keep, True)
        creator = mediapipe.packet_creator
        makers = {bool: creator.create_bool, int: creator.create_int}
        self._graph.start_run({name: makers[type(value)](value) for name, value in inputs.items()})

    def run(self, image: UInt8[np.ndarray, "height width 3"]) -> list[bytes]:
        """Serialized messages about the next image, RGB; threads wait for one another.

        Raises:
            UsageError: the graph is closed.
        """
        image = np.ascontiguousarray(image)
        packet = self._mediapipe.packet_creator.create_image_frame(
            image, image_format=self._mediapipe.ImageFormat.SRGB, copy=True
        )
        with self._lock:
            if not self._is_open:
                raise UsageError("the detector is closed; open another one")
            self._found, self._time_us = None, self._time_us + _STEP_US
            self._graph.add_packet_to_input_stream("image", packet.at(self._time_us))
            self._graph.wait_until_idle()
            found = self._found
        if found is None or found.is_empty():
            return []
        # The public function would parse the messages, which is slower than reading their bytes.
        return self._mediapipe.packet_getter._packet_getter._get_serialized_proto_list(found)

    def close(self) -> None:
        """Free the networks' memory."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._graph.close()

    def _keep(self, _: str, packet: Any) -> None:
        self._found = packet
