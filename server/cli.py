"""voxtab-serve: the page, the engine and the models over HTTPS."""

from pathlib import Path
from typing import Annotated

import typer

from server.addresses import LOOPBACK, host_names, is_loopback, lan_addresses
from server.app import check_built, create_app, own_models
from server.certificate import Certificate, ensure_certificate, load_certificate
from server.engine_build import WEB
from server.registry import scan
from server.run import Server, addresses_of, listen
from voxtab.errors import VoxtabError

DEFAULT_MODELS = Path("models")

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def serve(
    models: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of models; may be given several times. [default: ./models if there is one]"
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for the local network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8443,
    cert: Annotated[Path | None, typer.Option(help="Certificate (PEM) instead of a made one.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")] = None,
    http: Annotated[bool, typer.Option("--http", help="No TLS; browsers then trust only localhost.")] = False,
) -> None:
    """Serve voxtab's page and models. Stop with Ctrl-C."""
    try:
        _serve(models, host, port, cert, key, http)
    except VoxtabError as error:
        typer.echo(f"voxtab-serve: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        raise typer.Exit(1) from error


def _serve(
    models: list[Path] | None, host: str, port: int, cert: Path | None, key: Path | None, http: bool
) -> None:
    certificate = None if _checked_http(http, cert, key) else _certificate(host, cert, key)
    folders = _models_dirs(models)
    check_built()
    names = [*host_names(), *(certificate.names if certificate else ())]
    application = create_app([*own_models(), *folders], names=names)
    listener = listen(host, port)
    urls = addresses_of(listener, secure=certificate is not None)

    def announce() -> None:
        print(f"voxtab is at {urls[0]}", flush=True)
        for url in urls[1:]:
            print(f"  for phones and others on this network: {url}", flush=True)
        if http and not is_loopback(host):
            print("  Without HTTPS, browsers give other devices neither microphone nor WebGPU.", flush=True)
        if not scan([*own_models(), *folders]).models:
            print("  No models found; add some with --models DIR.", flush=True)

    Server(application, listener, certificate, announce).serve_until_stopped()


def _checked_http(http: bool, cert: Path | None, key: Path | None) -> bool:
    if http and (cert or key):
        raise VoxtabError(
            "option-invalid", "--http uses no certificate.", "Leave out --cert and --key, or --http."
        )
    if (cert is None) != (key is None):
        raise VoxtabError("option-invalid", "--cert and --key belong together.", "Give both, or neither.")
    return http


def _certificate(host: str, cert: Path | None, key: Path | None) -> Certificate:
    if cert and key:
        return load_certificate(cert, key)
    # Only a server that others can reach needs a new certificate when the machine moves to another network.
    network = [*host_names(), *lan_addresses()]
    # `host` among them, for 127.0.0.2 and the like are loopback too.
    needed = [*LOOPBACK, *([host] if is_loopback(host) else network)]
    return ensure_certificate(WEB.parent / "certs", needed, network)


def _models_dirs(models: list[Path] | None) -> list[Path]:
    if not models:
        return [DEFAULT_MODELS] if DEFAULT_MODELS.is_dir() else []
    for folder in models:
        if not folder.is_dir():
            raise VoxtabError(
                "option-invalid",
                f"--models {folder} is not a folder.",
                "Give the folder that holds the models.",
            )
    return models


if __name__ == "__main__":
    app(prog_name="voxtab-serve")
