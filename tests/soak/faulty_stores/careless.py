"""A store that does not look at conditions."""

from collections.abc import Mapping
from typing import Any, override

from tests.soak.fake_aws_server import FakeAws, main
from tests.soak.tables import Tables


class CarelessStore(Tables):
    """Every condition holds."""

    @override
    def holds(self, expression: str, item: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        return True


if __name__ == "__main__":
    main(lambda _, faults, upstreams: FakeAws(CarelessStore(), faults, upstreams))
