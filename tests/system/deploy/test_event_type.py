"""docs/event-type.ts accepts the events of producers, by TypeScript's compiler."""

import os
import re
import subprocess
from pathlib import Path

from emulator.environment import PROJECT_ROOT

TSC = Path(__file__).parent / "simulator" / "node_modules" / "typescript" / "bin" / "tsc"
DOCS = PROJECT_ROOT / "docs"

SAMPLE = """\
import { EARNINGS_PROCESSED_SOURCE, type EarningsProcessedDetail, type EarningsProcessedEvent } from "./event-type";

export const mixed: EarningsProcessedDetail = {
  asset_symbol: "AAPL",
  earningsDate: "2026-10-29",
  event_id: null,
  traceparent: "",
};
export const event: EarningsProcessedEvent = {
  id: "1",
  source: EARNINGS_PROCESSED_SOURCE,
  "detail-type": "earningsProcessed",
  detail: mixed,
};

type Detail = EarningsProcessedDetail;
// @ts-expect-error both spellings of a required field
export const a: Detail = { asset_symbol: "AAPL", assetSymbol: "AAPL", earnings_date: "2026-10-29" };
// @ts-expect-error both spellings of an optional field
export const b: Detail = { asset_symbol: "AAPL", earnings_date: "2026-10-29", event_id: "a", eventId: "a" };
// @ts-expect-error no date
export const c: Detail = { asset_symbol: "AAPL" };
// @ts-expect-error a required field that is null
export const d: Detail = { asset_symbol: null, earnings_date: "2026-10-29" };
// @ts-expect-error a number
export const e: Detail = { asset_symbol: "AAPL", earnings_date: "2026-10-29", event_id: 4711 };
// @ts-expect-error a misspelt field
export const f: Detail = { asset_symbol: "AAPL", earnings_date: "2026-10-29", eventid: "a" };
"""


def test_the_compiler_accepts_valid_details_and_refuses_others(tmp_path: Path) -> None:
    """The example of docs/events.md, too, without the AWS SDK."""
    (example,) = re.findall(r"```ts\n(.*?)```", (DOCS / "events.md").read_text(), re.DOTALL)
    (tmp_path / "event-type.ts").write_text((DOCS / "event-type.ts").read_text())
    (tmp_path / "sample.ts").write_text(SAMPLE)
    (tmp_path / "example.ts").write_text(example)
    (tmp_path / "sdk.d.ts").write_text('declare module "@aws-sdk/client-eventbridge";\n')
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"]

    done = subprocess.run(
        [os.environ["JSII_NODE"], str(TSC), *options, "sample.ts", "example.ts", "sdk.d.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, ""), f"`make check-deploy` installs the compiler: {done.stderr}"
