// The client for the API that these pages belong to. Both may be below a prefix.

import { createStepkey, stepkey as atRoot } from "../stepkey.js";

const base = new URL("..", import.meta.url).pathname;

export const stepkey = base === "/" ? atRoot : createStepkey({ base });
