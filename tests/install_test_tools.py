"""Makes sure that the tests find a Chromium with WebGPU, a native GPU adapter and mistral-common.

What is there is used. What is missing is installed with apt where that is possible (as root, or with a sudo
that asks nothing); Playwright's own download serves where apt has no Chromium, and pip brings mistral-common.
Otherwise the last lines say what to install, and the exit status is 1.
Run from the repository root: python -m tests.install_test_tools
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import sync_playwright

from tests import chromium, mistral_reference

VULKAN = ("libvulkan1", "mesa-vulkan-drivers")  # the loader, and lavapipe with it
ADAPTER = "from voxtab.gpu.native import choose_adapter; print(choose_adapter().info['device'])"
BROWSER_ADAPTER = """async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  return adapter ? `${adapter.info.vendor} ${adapter.info.architecture}` : null;
}"""


def main() -> int:
    tools = (ensure_chromium(), ensure_adapter(), ensure_mistral_common())
    missing = [advice for advice in tools if advice]
    for advice in missing:
        print(advice, file=sys.stderr)
    return 1 if missing else 0


def ensure_chromium() -> str | None:
    """None when a Chromium starts and has WebGPU, else advice."""
    if not chromium_path() and not apt_install("chromium"):
        # Ubuntu's package stands for a snap, other systems have no apt: Playwright fetches its own build.
        with_system_libraries = (
            ["--with-deps"] if become_root() is not None and shutil.which("apt-get") else []
        )
        run(sys.executable, "-m", "playwright", "install", *with_system_libraries, "chromium")
    if not (path := chromium_path()):
        return (
            "No Chromium was found and none could be installed. Debian: apt install chromium."
            " Elsewhere: .venv/bin/playwright install --with-deps chromium"
        )
    try:
        with sync_playwright() as playwright, chromium.launch(playwright) as browser:
            page = browser.new_page()
            page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=""))
            page.goto("https://adapter.test/")
            adapter = page.evaluate(BROWSER_ADAPTER)
            version = browser.version
    except PlaywrightError as error:
        return f"{path} does not start:\n{error}\nIts system libraries may be missing: apt install chromium."
    if adapter is None:
        return f"{path} ({version}) has no WebGPU adapter. Version 121 or newer is needed, with SwiftShader."
    print(f"Chromium {version} at {path}, WebGPU on {adapter}")
    return None


def chromium_path() -> str | None:
    with sync_playwright() as playwright:
        found = chromium.find(playwright)
    return str(found) if found else None


def ensure_adapter() -> str | None:
    """None when wgpu finds an adapter, else advice. Asked in new processes: each looks for drivers once."""
    if not (found := native_adapter()):
        apt_install(*VULKAN)
        found = native_adapter()
    if not found:
        return (
            "No Vulkan, Metal or Direct3D 12 adapter was found and none could be installed."
            f" Debian and Ubuntu: apt install {' '.join(VULKAN)}. Fedora: dnf install mesa-vulkan-drivers"
        )
    print(f"native adapter: {found}")
    return None


def ensure_mistral_common() -> str | None:
    """None when the tests can ask mistral-common, else advice."""
    try:
        if not mistral_reference.installed():
            mistral_reference.install()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{' and '.join(mistral_reference.REQUIREMENTS)} could not be installed with pip: {error}"
    print(f"{' and '.join(mistral_reference.REQUIREMENTS)} at {mistral_reference.ENVIRONMENT}")
    return None


def native_adapter() -> str:
    probe = subprocess.run(
        [sys.executable, "-c", ADAPTER], capture_output=True, text=True, timeout=120, check=False
    )
    return probe.stdout.strip()


def apt_install(*packages: str) -> bool:
    """True when apt installed all of them. Packages that only stand for a snap are not worth installing."""
    root = become_root()
    if root is None or not shutil.which("apt-get"):
        return False
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes"]
    if not run(*apt, "update"):
        return False
    policy = subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True, check=False)
    candidates = [line.split()[-1] for line in policy.stdout.splitlines() if "Candidate:" in line]
    if len(candidates) < len(packages) or any(
        "snap" in version or version == "(none)" for version in candidates
    ):
        return False
    return run(*apt, "install", "--no-install-recommends", *packages)


def become_root() -> list[str] | None:
    """What to put before a command so that it runs as root; None when that would need a password."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def run(*command: str) -> bool:
    print("$", *command, flush=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
