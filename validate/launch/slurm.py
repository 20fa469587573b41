"""An sbatch script: one Ray node per host, the suite on the first of them."""

import math
import shlex

from psmodel.units import format_time
from validate.launch.plan import LaunchPlan

PORT = 6379
_SPARE_S = 300
"""Time that Ray and the probe take besides the runs."""

_SCRIPT = """\
#!/bin/bash
# {title}: written by psmodel; hand it to sbatch.
#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task={cpus}
{time}#SBATCH --output={name}-%j.log
set -euo pipefail
python={python}

# Only this job knows the token, and it is on no command line.
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
RAY_AUTH_TOKEN=$("$python" -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_TOKEN

# The addresses by which Slurm knows its nodes are those whose links are measured.
address_of() {{
  local named
  named=$(scontrol --oneliner show node "$1" | sed -n 's/.* NodeAddr=\\([^ ]*\\).*/\\1/p')
  getent ahostsv4 "$named" | awk '{{ print $1; exit }}'
}}
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(address_of "${{nodes[0]}}")
folder=/tmp/psmodel-$SLURM_JOB_ID

start() {{ # node, address, how
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$1" --export=ALL \\
    "$python" -m ray.scripts.scripts start "${{@:3}}" --node-ip-address="$2" --temp-dir="$folder" \\
    --include-log-monitor=false --disable-usage-stats --block > /dev/null &
}}
finish() {{
  trap - EXIT
  kill $(jobs -p) 2> /dev/null || true
  wait || true
  srun --overlap --nodes={nodes} --ntasks={nodes} rm -rf "$folder" || true
}}
trap finish EXIT

start "${{nodes[0]}}" "$head" --head --port={port} --include-dashboard=false --num-cpus={head_cpus}
timeout 120 bash -c 'until (exec 3<> "/dev/tcp/$0/{port}") 2> /dev/null; do sleep 0.5; done' "$head"
for node in "${{nodes[@]:1}}"; do
  start "$node" "$(address_of "$node")" --address="$head:{port}" --num-cpus=1
done

{suite}srun --overlap --nodes=1 --ntasks=1 --nodelist="${{nodes[0]}}" --export=ALL {command}
"""


def script(plan: LaunchPlan, *, cpus: int = 1) -> str:
    """The script's text.

    Parameters
    ----------
    cpus
        Of each node, to ask for.
    """
    suite = plan.suite.name if plan.file is None else '"$folder-suite.toml"'
    here = ""
    if plan.file is not None:
        text = plan.file.read_text(encoding="utf-8").rstrip("\n")
        here = f"cat > \"$folder-suite.toml\" << 'END OF SUITE'\n{text}\nEND OF SUITE\n"
    command = " ".join(
        part if part in (suite, '"$python"', '"$head:6379"') else shlex.quote(part)
        for part in (
            '"$python"', *plan.command(suite, address=f'"$head:{PORT}"', store=f"{plan.name}.sqlite")[1:]
        )
    )  # fmt: skip
    limit = ""
    if plan.max_duration_s is not None:
        limit = f"#SBATCH --time={math.ceil((plan.max_duration_s + _SPARE_S) / 60)}\n"
    return _SCRIPT.format(
        title=f"Suite {plan.suite.label} on {plan.nodes} nodes"
        + ("" if plan.max_duration_s is None else f", {format_time(plan.max_duration_s)} at most"),
        name=plan.name,
        nodes=plan.nodes,
        cpus=cpus,
        time=limit,
        python=shlex.quote(plan.python),
        head_cpus=plan.head_cpus,
        port=PORT,
        suite=here,
        command=command,
    )
