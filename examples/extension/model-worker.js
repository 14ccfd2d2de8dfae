/** The worker: it serves the page that started it. */
import { serve } from "onebit/worker-host";

serve();
