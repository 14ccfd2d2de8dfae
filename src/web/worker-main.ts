/**
 * The script of the worker that `onebit/worker` starts by itself.
 *
 * @module
 */
import { serve } from "./worker-host.ts";

serve();
