"""app: the what-if page in the browser."""

from pathlib import Path

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="0: any free one."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option(
    "--store", type=click.Path(path_type=Path), help="Show this store's measurements over the predictions."
)
@click.option(
    "--fit",
    type=click.Path(path_type=Path),
    help="Use the coefficients that `psmodel validate fit` wrote to this file.",
)
def app(host: str, port: int, no_browser: bool, store: Path | None, fit: Path | None) -> None:
    """Ask what-ifs in the browser: sliders, charts, bottleneck map, prices, simulation. Works offline.

    \b
    psmodel app
    psmodel app --store .psmodel/measurements.sqlite --fit fit.json
    """
    from psmodel.app import overlay as measured
    from psmodel.app.query import Settings
    from psmodel.app.server import address, listen, serve

    settings = Settings(fit=fit, store=store, measured=() if store is None else measured.read(store))
    _ = settings.calibrated  # a file that cannot be read is told before anything listens
    with listen(host, port) as sock:
        click.echo(f"psmodel: {address(sock)} (Ctrl-C ends it)")
        if host not in ("127.0.0.1", "localhost", "::1"):
            click.echo(f"Whoever reaches {host} can use this page; it asks for no password.", err=True)
        serve(settings, sock, host, browser=not no_browser)
