"""What every page of ours shares: one look, pictures that are drawn in the browser, and a server that lets nothing out.

    from curriculum_verl.web.quiet import gr, html, QUIETLY            # gradio; from nowhere else
    from curriculum_verl.web.charts import Chart, feed, place    # pictures, as plain plotly dictionaries
    from curriculum_verl.web.page import Page
    from curriculum_verl.web.serving import serve, serving

    def build() -> gr.Blocks:
        with gr.Blocks(title="Tune") as blocks:
            html(place("timeline"))                              # where a picture comes to stand
            steps = gr.Slider(10, 500, 100, label="Steps", elem_id="steps")
            pictures = html(elem_id="feed", elem_classes="cv-hidden")
            steps.change(lambda n: feed({"timeline": timeline(n)}), steps, pictures, **QUIETLY)
        return blocks

    require_pages("tune")                                        # of web.extra, before any of these imports
    serve(Page(build), "127.0.0.1", 7860)                        # until Ctrl-C; `with serving(page) as url` in tests

A handler answers with `feed({name: Chart(...)})` in an html() of class cv-hidden; assets/charts.js draws each of them
where its name stands, light or dark, and only what is on the screen. Texts get into html() through pages.element only.
No js= in gradio's events and no script in a page: the content security policy refuses both.
"""
