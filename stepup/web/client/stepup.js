// The browser side of the Go package stepup. It wires the two pages that the package draws, lets htmx and Turbo step up in
// place, and gives other scripts of the app:
//
//	ensure(purpose)     resolves once the purpose is met, at once if it is. Call it before an upload, an EventSource or a
//	                    WebSocket, whose refusal cannot be repaired.
//	fetch(input, init)  as window.fetch, but a request that is refused for want of a passkey is made once more after one was
//	                    used. Refusals at the same time share one ceremony. A body that is a stream is sent once, and its
//	                    refusal returned.
//
// Both reject with a StepUpError where a person gives up; see its kind. Browsers get this module minified: `make generate`
// writes ../stepup.js.

import { listen } from "./frameworks.js";
import { localTimes, startManage } from "./manage.js";
import { fetchSteppingUp, meet } from "./refusal.js";
import { startVerifyPage } from "./verifypage.js";

export { StepUpError } from "./api.js";
export { fetchSteppingUp as fetch };
export const ensure = purpose => meet({ purpose });

listen();
const page = document.querySelector("#stepkey");
if (page) {
	localTimes(page);
	startVerifyPage(page);
}
for (const section of document.querySelectorAll(".stepkey-manage")) {
	localTimes(section);
	startManage(section);
}
