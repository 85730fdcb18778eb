/** How each generation of Marathon writes a deployment, in the list and in its events. */
import type { Deployment, Step } from './deployment.ts';
import type { Traits } from './profiles.ts';
import { render } from './render.ts';

/** GET /v2/deployments: one element of the array. */
export function renderDeployment(deployment: Deployment, traits: Traits): unknown {
  const { id, version, appId, currentStep, step } = deployment;
  const old = !traits.instanceEvents;
  const readiness = old ? {} : { readinessCheckResults: [] };
  return {
    id,
    version,
    affectedApps: [appId],
    ...(old ? {} : { affectedPods: [] }),
    steps: deployment.steps.map((one) => (old ? one.actions : one)),
    currentActions: (step?.actions ?? []).map((action) => ({ ...action, ...readiness })),
    currentStep,
    totalSteps: deployment.steps.length,
  };
}

/** The plan of an event; 0.x says `type` where the list says `action`. */
export function lightPlan(id: string, version: string, steps: readonly Step[], traits: Traits): unknown {
  if (traits.instanceEvents) return { id, steps, version };
  return {
    id,
    version,
    steps: steps.map(({ actions }) => ({ actions: actions.map(({ action, app }) => ({ type: action, app })) })),
  };
}

/** Light plan and, for generations that write it unless asked not to, the whole root group twice. */
export function planFields(deployment: Deployment, traits: Traits): unknown {
  const light = lightPlan(deployment.id, deployment.version, deployment.steps, traits);
  if (traits.lightPlans === 'always') return light;
  const group = (app: unknown) => ({ id: '/', apps: app ? [app] : [], groups: [], dependencies: [] });
  const target = deployment.app.deleted ? undefined : render(deployment.app.current, traits);
  const version = { version: deployment.version, versionInfo: deployment.app.current.versionInfo };
  const original = deployment.original && render({ definition: deployment.original, ...version }, traits);
  return { ...(light as object), original: group(original), target: group(target) };
}
