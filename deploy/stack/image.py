"""The image of the function: built from the Dockerfile, or an existing one in ECR."""

import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deploy.context import Deployment

_ROOT = Path(__file__).parents[2]


def image_code(scope: Construct, deployment: Deployment, platform: ecr_assets.Platform) -> lambda_.DockerImageCode:
    """Return the code of the function.

    The labels of a built image name the commit. They do not count towards its hash: a commit that changes no input of
    the image makes no new version. An image that exists keeps the labels of the commit that it was first built from.
    """
    if deployment.image_uri is not None:
        return deployed_image(scope, deployment.image_uri)
    return lambda_.DockerImageCode.from_image_asset(
        str(_ROOT),
        platform=platform,
        build_args=labels(),
        invalidation=ecr_assets.DockerImageAssetInvalidationOptions(build_args=False),
    )


@cache
def labels() -> dict[str, str]:
    """Return the build arguments that become labels, as `make image` sets them; without Git the version only."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {"VERSION": project["version"]}
    git = shutil.which("git")
    for name, command in {"REVISION": ("rev-parse", "HEAD"), "CREATED": ("log", "-1", "--format=%cI")}.items():
        if git is not None:
            asked = subprocess.run([git, *command], cwd=_ROOT, capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                found[name] = asked.stdout.strip()
    return found


def deployed_image(scope: Construct, uri: str) -> lambda_.DockerImageCode:
    """Return the code of an existing image in ECR."""
    registry, _, rest = uri.partition("/")
    account, _, _, region, *_ = registry.split(".")
    name, _, digest = rest.partition("@")
    name, _, tag = name.partition(":")
    repository = ecr.Repository.from_repository_attributes(
        scope,
        "Repository",
        repository_name=name,
        repository_arn=f"arn:{Stack.of(scope).partition}:ecr:{region}:{account}:repository/{name}",
    )
    return lambda_.DockerImageCode.from_ecr(repository, tag_or_digest=digest or tag)
