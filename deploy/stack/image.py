"""The image of the function: built from the Dockerfile, or an existing one in ECR."""

import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path

from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from deploy.context import NAME, Deployment

_ROOT = Path(__file__).parents[2]


def image_code(scope: Construct, deployment: Deployment, platform: ecr_assets.Platform) -> lambda_.DockerImageCode:
    """Return the code of the function.

    The labels of a built image name the commit. They do not count towards its hash: a commit that changes no input of
    the image makes no new version. An image that exists keeps the labels of the commit that it was first built from.
    """
    if deployment.image_uri is not None:
        return deployed_image(scope, deployment.image_uri)
    if deployment.portable:
        return image_of_the_release(scope, deployment.architecture)
    return lambda_.DockerImageCode.from_image_asset(
        str(_ROOT),
        platform=platform,
        build_args=labels(),
        invalidation=ecr_assets.DockerImageAssetInvalidationOptions(build_args=False),
    )


@cache
def labels() -> dict[str, str]:
    """Return the build arguments that become labels, as `make image` sets them; without Git the version only.

    `REVISION` is the commit, with `-dirty` if the working tree has other changes.
    """
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {"VERSION": project["version"]}
    git = shutil.which("git")
    commands = {
        "REVISION": ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
        "CREATED": ("log", "-1", "--format=%cI"),
    }
    for name, command in commands.items():
        if git is not None:
            asked = subprocess.run([git, *command], cwd=_ROOT, capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                found[name] = asked.stdout.strip()
    return found


def source_of(deployment: Deployment) -> str:
    """Return where the code of the function comes from, for its description: a commit, or an image in ECR."""
    if deployment.image_uri is not None:
        name = deployment.image_uri.rpartition("/")[2]
        return f"image {name.partition('@')[2] or name.partition(':')[2]}"
    if deployment.portable:
        return f"image {_release_tag(deployment.architecture)}"
    return f"commit {labels().get('REVISION', 'unknown')}"


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


def image_of_the_release(scope: Construct, architecture: str) -> lambda_.DockerImageCode:
    """Return the code of this version's image, as the release workflow tags it, in a repository of the account.

    The repository is a parameter of the template, the tag is not: a version of the function has the image in its
    logical ID, and one that changes by a parameter would make no new version.
    """
    repository = CfnParameter(
        Stack.of(scope),
        "ImageRepository",
        default=NAME,
        description="The name of the repository in ECR, in this account and region, that has the image of the release.",
        allowed_pattern="[a-z0-9][a-z0-9._/-]{1,255}",
    )
    return lambda_.DockerImageCode.from_ecr(
        ecr.Repository.from_repository_name(scope, "Repository", repository.value_as_string),
        tag_or_digest=_release_tag(architecture),
    )


def _release_tag(architecture: str) -> str:
    return f"{labels()['VERSION']}-{architecture}"
