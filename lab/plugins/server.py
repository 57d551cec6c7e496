"""Serves a stand-in to the engine: Pulumi's resource provider protocol over gRPC."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import empty_pb2
from google.rpc import status_pb2

from lab.plugins import wire
from lab.plugins.protocol import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)
from lab.plugins.resource import Call, InitError, Resource, Values

if TYPE_CHECKING:
    from types import FrameType

Function = Callable[[Values], Values]

THREADS = 64
"""The engine works on many resources at once, and one command may run for minutes."""


class PluginError(Exception):
    """An operation failed; the text is what the engine shows."""


class Engine:
    """The way back to the engine."""

    def __init__(self, address: str) -> None:
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def status(self, urn: str, line: str) -> None:
        """Show a line beside a resource while it is worked on; it is not part of the final output."""
        self._stub.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=urn, ephemeral=True))


class Plugin:
    """What a stand-in offers.

    Args:
        version: The version of the official plugin that it stands in for.
        resources: Its resource types.
        functions: Its functions, by token.
        cancel: Called when the engine is interrupted.
    """

    def __init__(
        self,
        *,
        version: str,
        resources: list[Resource],
        functions: dict[str, Function] | None = None,
        cancel: Callable[[], None] = lambda: None,
    ) -> None:
        self.version = version
        self.resources = {resource.token: resource for resource in resources}
        self.functions = functions or {}
        self.cancel = cancel


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translates calls of the engine into calls of a plugin's resources."""

    def __init__(self, plugin: Plugin) -> None:
        self._plugin = plugin

    def _resource(self, request: Any, context: grpc.ServicerContext) -> Resource:
        token = request.urn.split("::")[-2].split("$")[-1]
        resource = self._plugin.resources.get(token)
        if resource is None:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"the lab's stand-in does not know the resource type {token}; "
                f"it knows {', '.join(sorted(self._plugin.resources))}",
            )
            raise AssertionError  # abort() raises; the checker does not know
        return resource

    def _try(self, context: grpc.ServicerContext, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except InitError as error:
            _init_failed(context, error)
        except Exception as error:  # noqa: BLE001 - the engine shows it, whatever it is
            if type(error).__module__.startswith("lab.") or type(error).__module__.startswith("botocore"):
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
        raise AssertionError  # abort() raises

    # The names below are the protocol's.
    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        del request
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "no handshake")

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        del request, context
        return plugin_pb2.PluginInfo(version=self._plugin.version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        del context
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        del request, context
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        del context
        configure(dict(request.variables))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptOutputs=False)

    def Cancel(self, request: Any, context: Any) -> Any:
        del request, context
        self._plugin.cancel()
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        function = self._plugin.functions.get(request.tok)
        if function is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the lab's stand-in does not know {request.tok}")
            raise AssertionError
        arguments, _ = wire.decode(request.args)
        result = self._try(context, lambda: function(arguments))
        return provider_pb2.InvokeResponse(**{"return": wire.encode(result)})

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resource(request, context)
        old, _ = wire.decode(request.olds)
        new, secrets = wire.decode(request.news)
        inputs, failures = resource.check(old, new, Call(request.urn, secrets))
        return provider_pb2.CheckResponse(
            inputs=wire.encode(inputs, secrets),
            failures=[
                provider_pb2.CheckFailure(property=failure.name, reason=failure.reason)
                for failure in failures.found
            ],
        )

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resource(request, context)
        old = _old(resource, request)
        new, _ = _new(request, old)
        change = resource.diff(old, new)
        response = provider_pb2.DiffResponse
        return response(
            changes=response.DIFF_SOME if change.names else response.DIFF_NONE,
            replaces=sorted(change.replaces),
            diffs=sorted(change.names),
            deleteBeforeReplace=change.delete_first,
            detailedDiff={
                name: provider_pb2.PropertyDiff(kind=_kind(name, old, new, change.replaces), inputDiff=True)
                for name in change.names
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resource(request, context)
        inputs, secrets = wire.decode(request.properties)
        if request.preview:
            outputs = resource.plan_create(inputs)
            return provider_pb2.CreateResponse(properties=_outputs(resource, outputs, secrets))
        resource_id, outputs = self._try(context, lambda: resource.create(inputs, Call(request.urn, secrets)))
        return provider_pb2.CreateResponse(id=resource_id, properties=_outputs(resource, outputs, secrets))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resource(request, context)
        state, secrets = wire.decode(request.properties)
        inputs, _ = wire.decode(request.inputs)
        outputs = self._try(context, lambda: resource.read(request.id, state))
        if outputs is None:
            return provider_pb2.ReadResponse()
        # What the program once said, with the values of now: so a drift shows as a difference.
        inputs = {name: outputs.get(name, value) for name, value in inputs.items()}
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_outputs(resource, outputs, secrets),
            inputs=wire.encode(inputs, secrets & inputs.keys()),
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resource(request, context)
        state, _ = wire.decode(request.olds)
        old = _old(resource, request)
        new, secrets = _new(request, old)
        if request.preview:
            outputs = resource.plan_update(state, new, resource.diff(old, new).names)
        else:
            call = Call(request.urn, secrets)
            outputs = self._try(context, lambda: resource.update(request.id, state, old, new, call))
        return provider_pb2.UpdateResponse(properties=_outputs(resource, outputs, secrets))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = self._resource(request, context)
        state, secrets = wire.decode(request.properties)
        self._try(context, lambda: resource.delete(request.id, state, Call(request.urn, secrets)))
        return empty_pb2.Empty()


configuration: dict[str, str] = {}
"""What the engine configured the provider with, such as ``aws:config:region``."""


def configure(variables: dict[str, str]) -> None:
    """Take up the provider's configuration."""
    configuration.update(variables)


def _old(resource: Resource, request: Any) -> Values:
    """What new inputs are compared with."""
    inputs, _ = wire.decode(request.old_inputs)
    state, _ = wire.decode(request.olds)
    return resource.compared(inputs, state)


def _new(request: Any, old: Values) -> tuple[Values, frozenset[str]]:
    """New inputs, and the names of the secret ones; what the program ignores changes of is as it was."""
    new, secrets = wire.decode(request.news)
    return new | {name: old[name] for name in request.ignoreChanges if name in old}, secrets


def _outputs(resource: Resource, outputs: Values, secrets: frozenset[str]) -> Any:
    marked = (secrets | resource.secret_outputs) & outputs.keys()
    return wire.encode(outputs, marked)


def _kind(name: str, old: Values, new: Values, replaces: frozenset[str]) -> Any:
    diff = provider_pb2.PropertyDiff
    if name not in old:
        return diff.ADD_REPLACE if name in replaces else diff.ADD
    if name not in new:
        return diff.DELETE_REPLACE if name in replaces else diff.DELETE
    return diff.UPDATE_REPLACE if name in replaces else diff.UPDATE


def _init_failed(context: grpc.ServicerContext, error: InitError) -> None:
    """Tell the engine to keep the resource, and that it is not well."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.resource_id, properties=wire.encode(error.outputs), reasons=[str(error)]
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))


def serve(make: Callable[[Engine], Plugin]) -> None:
    """Serve until the engine, whose address is the first argument, ends us or is gone."""
    address = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    plugin = make(Engine(address))
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(plugin), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def end(_signal: int, _frame: FrameType | None) -> None:
        os._exit(0)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    # The one line that the engine reads.
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    server.wait_for_termination()


def _end_with_parent(parent: int) -> None:
    """An engine that was killed does not end its plugins; a command that still runs is left alone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)
