"""Tells how botocore, the AWS CLI's own library, reads AWS files: for each case
on standard input the profiles, their settings, how each gets credentials, and
where services are. Nothing is called, no credential process is run."""
import json
import os
import sys

import botocore.configprovider
import botocore.credentials
import botocore.exceptions
import botocore.session
from botocore.compat import compat_shell_split


def not_run(provider, command):
    words = compat_shell_split(command)
    if not words:
        raise ValueError('no command')
    return {'access_key': json.dumps(words), 'secret_key': 'x'}


botocore.credentials.ProcessProvider._retrieve_credentials_using = not_run


def way(creds):
    if creds is None:
        return {'method': 'unusable'}
    if creds.method == 'custom-process':
        return {'method': 'process', 'words': json.loads(creds.access_key)}
    refresh = getattr(creds, '_refresh_using', None)
    if refresh is None:
        if not creds.access_key or not creds.secret_key:
            return {'method': 'unusable'}
        return {'method': 'keys', 'id': creds.access_key, 'secret': creds.secret_key, 'token': creds.token or ''}
    fetcher = getattr(refresh, '_refresh', refresh).__self__
    if creds.method == 'sso':
        return {'method': 'sso', 'name': fetcher._sso_session_name or '', 'url': fetcher._start_url, 'region': fetcher._sso_region,
                'account': fetcher._account_id, 'role': fetcher._role_name}
    want = fetcher._assume_kwargs
    told = {'arn': want['RoleArn'], 'external_id': want.get('ExternalId', ''), 'seconds': want.get('DurationSeconds', 3600),
            'session': 'cloudops' if fetcher._using_default_session_name else want['RoleSessionName']}
    if creds.method == 'assume-role-with-web-identity':
        return dict(told, method='web-identity', seconds=3600)
    return dict(told, method='role', source=way(fetcher._source_credentials))


def endpoints(session, profile, services):
    if session.get_config_variable('ignore_configured_endpoint_urls'):
        return {}
    found = {}
    for service in services:
        url = botocore.configprovider.ConfiguredEndpointProvider(session.full_config, profile, service).provide()
        if url:
            found[service.replace('-', '_')] = url
    return found


def read(case):
    for name in [n for n in os.environ if n.startswith('AWS_')]:
        del os.environ[name]
    os.environ.update(case['variables'], AWS_EC2_METADATA_DISABLED='true')
    try:
        full = botocore.session.Session().full_config
    except botocore.exceptions.ConfigParseError:
        return {'profiles': None}
    told = {}
    for name in full['profiles']:
        session = botocore.session.Session(profile=name)
        one = {'settings': full['profiles'][name]}
        try:
            one['way'] = way(session.get_credentials())
        except botocore.exceptions.MissingDependencyException:
            one['way'] = {'method': 'login'}
        except Exception as e:
            one['way'] = {'method': 'unusable', 'why': repr(e)}
        try:
            one['endpoints'] = endpoints(session, session.get_scoped_config(), case['services'])
        except botocore.exceptions.InvalidConfigError:
            one['endpoints'] = None
        one['fips'] = session.get_config_variable('use_fips_endpoint')
        told[name] = one
    return {'profiles': told}


json.dump([read(case) for case in json.load(sys.stdin)], sys.stdout)
