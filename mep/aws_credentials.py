"""Where boto3 takes credentials from, and what brings valid ones."""

import os
import shlex

import botocore.session
from botocore.exceptions import BotoCoreError

_SOURCES = {"role_arn", "credential_process", "credential_source", "web_identity_token_file", "aws_access_key_id"}


def how_to_get_credentials() -> str:
    """What brings valid credentials again, seen from where boto3 takes them now."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        return (
            "those of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN are used: "
            "set new ones, or unset them to use a profile"
        )
    session = botocore.session.Session()
    name = session.profile or "default"
    try:
        profiles = session.full_config.get("profiles", {})
    except BotoCoreError:
        profiles = {}
    seen: set[str] = set()
    config = profiles.get(name, {})
    while "source_profile" in config and name not in seen:
        seen.add(name)
        name = config["source_profile"]
        config = profiles.get(name, {})
    quoted = shlex.quote(name)
    if {"sso_session", "sso_start_url", "sso_account_id"} & config.keys():
        return f"run: aws sso login --profile {quoted}"
    if "login_session" in config:
        return f"run: aws login --profile {quoted}"
    if _SOURCES & config.keys():
        return look_at_identity()
    return (
        "set AWS_PROFILE to a profile of ~/.aws/config (with IAM Identity Center: aws sso login --profile NAME), or "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )


def look_at_identity() -> str:
    """What shows why the profile in use does not bring credentials."""
    name = botocore.session.Session().profile or "default"
    return f"`aws sts get-caller-identity --profile {shlex.quote(name)}` shows what is wrong with the profile"
