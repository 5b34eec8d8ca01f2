// What the page does by itself; all else is done by the server, which writes the HTML.
//
//   data-act     tells the server what was pressed, with the element's other data- values and
//                what is typed in the inputs of the same data-form (or .search)
//   data-quote   shows the quote while its mark is pointed at or has the focus
//   data-copy    copies a text
//   data-act="logout" ends the session
//   data-focus   gets the focus when it is drawn because something was pressed
//
// A point of a plot is told like a press of data-act="open".
//
// A question that is being typed is told when the typing pauses, so that the server reads for it.
//
// Texts of documents are only ever set as textContent, so none of them comes to life.

(() => {
	const card = document.createElement("div");
	card.id = "card";
	card.setAttribute("role", "tooltip");
	card.hidden = true;
	const quote = card.appendChild(document.createElement("blockquote"));
	const place = card.appendChild(document.createElement("p"));
	quote.dir = place.dir = "auto";

	let marked = null; // the mark whose card is shown

	function show(mark) {
		if (mark === marked) return;
		hide();
		marked = mark;
		quote.textContent = mark.dataset.quote;
		place.textContent = mark.dataset.place;
		document.querySelector(".gradio-container").append(card);
		card.hidden = false;
		mark.setAttribute("aria-describedby", card.id);
		putBeside(mark);
	}

	function putBeside(mark) {
		const at = mark.getBoundingClientRect();
		const left = Math.min(at.left, innerWidth - card.offsetWidth - 8);
		const isBelow = at.bottom + card.offsetHeight + 4 < innerHeight;
		card.style.left = `${Math.max(8, left)}px`;
		card.style.top = `${isBelow ? at.bottom + 2 : Math.max(8, at.top - card.offsetHeight - 2)}px`;
	}

	function hide() {
		marked?.removeAttribute("aria-describedby");
		marked = null;
		card.hidden = true;
	}

	// The card stays while the pointer is on it, so that it can be read and selected.
	document.addEventListener("mouseover", ({ target }) => {
		const mark = target.closest?.("[data-quote]");
		if (mark) show(mark);
		else if (!card.contains(target) && marked !== document.activeElement) hide();
	});
	document.addEventListener("focusin", ({ target }) => {
		const mark = target.closest?.("[data-quote]");
		if (mark?.matches(":focus-visible")) show(mark);
		else hide();
	});
	// To reach a mark by Tab may scroll it into sight.
	const keepBeside = ({ target }) => {
		if (!marked || card.contains(target)) return;
		if (marked === document.activeElement) putBeside(marked);
		else hide();
	};
	document.addEventListener("scroll", keepBeside, true);

	function tell(button) {
		const form = button.closest("[data-form], .search");
		const typed = [...(form?.querySelectorAll("input") ?? [])].map((input) => [input.name, input.value]);
		const detail = { ...button.dataset, ...Object.fromEntries(typed) };
		delete detail.quote;
		delete detail.place;
		button.dispatchEvent(new CustomEvent("footnote", { bubbles: true, detail }));
	}

	// Who works with the keyboard goes on where they are: on the button that they pressed, if it
	// is drawn again; in what they opened; and where they opened it, when it is closed.
	let pressed = null;
	let opener = null;

	function follow(button) {
		const act = button.dataset.act;
		pressed = act === "edit" ? null : button.textContent;
		if (act === "edit") document.querySelector(".composer textarea")?.focus();
		if (act === "close") opener?.focus();
		else if (!button.closest(".reader")) opener = button;
	}

	window.footnoteDrawn = (element) => {
		element.querySelector("#shown")?.scrollIntoView({ block: "center" });
		if (pressed === null) return;
		const buttons = [...element.querySelectorAll("[data-act]")];
		const next = element.querySelector("[data-focus]");
		const target = next?.matches("input") ? next : buttons.find((one) => one.textContent === pressed) ?? next;
		if (!target) return;
		pressed = null;
		target.focus({ preventScroll: true });
	};

	async function copy(button) {
		button.dataset.label ??= button.textContent;
		try {
			await navigator.clipboard.writeText(button.dataset.copy);
			button.textContent = "Copied";
		} catch {
			button.textContent = "The browser does not allow it";
		}
		setTimeout(() => (button.textContent = button.dataset.label), 1500);
	}

	async function logOut() {
		await fetch("/logout", { method: "POST" });
		location.assign("/login");
	}

	document.addEventListener("click", (event) => {
		const button = event.target.closest?.("[data-act], [data-copy]");
		if (!button) return;
		event.preventDefault();
		hide();
		if (button.dataset.copy !== undefined) copy(button);
		else if (button.dataset.act === "logout") logOut();
		else {
			tell(button);
			follow(button);
		}
		document.querySelector("#shown")?.scrollIntoView({ block: "center" }); // if it stays the same
	});

	// Plotly draws the points some time after the plot was sent.
	window.footnoteOpensPoints = (tries = 50) => {
		const plots = [...document.querySelectorAll(".map .js-plotly-plot")];
		if (plots.length < 2 || !plots.every((plot) => plot.on)) {
			if (tries) setTimeout(window.footnoteOpensPoints, 100, tries - 1);
			return;
		}
		for (const plot of plots) {
			plot.removeAllListeners?.("plotly_click");
			plot.on("plotly_click", ({ points: [point] }) => {
				if (!point.customdata) return;
				const [file, start, end] = point.customdata;
				const detail = { act: "open", document: file, start, end };
				const about = document.querySelector(".map .html-container > *");
				about.dispatchEvent(new CustomEvent("footnote", { bubbles: true, detail }));
			});
		}
	};

	let typing;
	document.addEventListener("input", ({ target }) => {
		if (!target.matches(".composer textarea")) return;
		clearTimeout(typing);
		typing = setTimeout(() => {
			const detail = { event: "typed", question: target.value };
			const menu = document.querySelector(".header [data-event=save]");
			if (target.value) menu?.dispatchEvent(new CustomEvent("footnote", { bubbles: true, detail }));
		}, 300);
	});

	document.addEventListener("keydown", (event) => {
		if (event.key === "Escape") hide();
		const form = event.target.closest?.("[data-form], .search");
		if (event.key === "Enter" && form && event.target.matches("input")) {
			event.preventDefault();
			tell(form.querySelector("[data-act]"));
		}
	});
})();
