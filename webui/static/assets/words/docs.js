// The English of /docs, beside docs.html and the sentences of the OpenAPI document.

export const words = {
	anyone: "Anyone",
	asks: "Body",
	parameters: "Parameters",
	answers: "Answers",
	needs: "Needs",
	optional: "optional",
	failed: { kind: "bad", sign: "warn", lead: "We can’t load the calls.", text: "Reload the page to try again." },
};
