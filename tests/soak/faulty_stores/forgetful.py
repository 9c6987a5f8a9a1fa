"""A store that says yes to every tenth transaction and does nothing."""

from typing import Any, override

from tests.soak.fake_aws_server import FakeAws, main
from tests.soak.tables import Request, Tables


class ForgetfulStore(Tables):
    """Every tenth write is none."""

    _calls = 0

    @override
    def transact_write_items(self, request: Request) -> dict[str, Any]:
        self._calls += 1
        return self._done(request) if self._calls % 10 == 0 else super().transact_write_items(request)


if __name__ == "__main__":
    main(lambda _, faults, upstreams: FakeAws(ForgetfulStore(), faults, upstreams))
