"""Drawings for products whose name promises another shape than their subcategory usually has."""
# ruff: noqa: E501 - path data does not fold

from __future__ import annotations

from typing import Final

from app.demo.drawing import Drawing, disc, fill, lines

_POT = fill("#c9795a", "M138 240H262L248 322C246 330 242 332 234 332H166C158 332 154 330 152 322Z") + fill(
    "#ad6248", "M130 230H270V256H130Z"
)

# (subcategory, word in the title) -> drawing
SPECIAL: Final[dict[tuple[str, str], Drawing]] = {
    ("soft-toys", "Rabbit"): Drawing(
        "M200 132C244 132 268 156 268 188C268 206 258 220 242 228C268 244 276 266 270 292C264 320 236 330 200 330S136 320 130 292C124 266 132 244 158 228C142 220 132 206 132 188C132 156 156 132 200 132Z",
        fill("$l", "M200 246C224 246 236 264 234 284S220 312 200 312S168 304 166 284S176 246 200 246Z")
        + fill("$k", disc(178, 180, 7), disc(222, 180, 7), "M192 202H208L200 211Z") + lines("M200 211V218M188 216C192 223 198 222 200 218C202 222 208 223 212 216", colour="$k", width=4)
        + fill("$a", "M200 234L170 222V248ZM200 234L230 222V248Z"),
        behind=fill("$b", "M172 146C138 110 140 50 160 46C182 44 194 100 192 140Z", "M228 146C262 110 260 50 240 46C218 44 206 100 208 140Z")
        + fill("$l", "M172 130C156 106 154 72 162 64C172 66 182 100 184 130Z", "M228 130C244 106 246 72 238 64C228 66 218 100 216 130Z")
        + fill("$d", disc(124, 272, 24), disc(276, 272, 24), disc(154, 320, 28), disc(246, 320, 28)),
        floor=342, reach=100,
    ),
    ("wooden-toys", "Rainbow"): Drawing(
        "M64 300C64 120 336 120 336 300H296C296 176 104 176 104 300Z",
        fill("$a", "M108 300C108 180 292 180 292 300H256C256 226 144 226 144 300Z") + fill("$l", "M148 300C148 230 252 230 252 300H222C222 270 178 270 178 300Z")
        + fill("#c79d6a", "M182 300C182 274 218 274 218 300Z"),
        floor=306, reach=150,
    ),
    ("houseplants", "Snake Plant"): Drawing(
        "M166 240C150 190 146 130 158 84C176 130 184 190 184 240ZM190 240C180 180 184 104 204 52C222 104 224 180 212 240ZM218 240C220 190 230 140 250 100C256 150 250 200 236 240Z",
        lines("M166 218C160 180 158 140 160 112M202 224C196 170 198 120 204 80M228 222C232 186 240 152 246 130", colour="$l", width=5) + _POT,
        floor=338, reach=84,
    ),
    ("houseplants", "Olive Tree"): Drawing(
        disc(200, 118, 70) + disc(146, 142, 42) + disc(254, 142, 42),
        fill("$l", disc(176, 96, 7), disc(222, 112, 7), disc(152, 138, 7), disc(246, 146, 7), disc(196, 150, 7), disc(224, 76, 7))
        + fill("$d", disc(160, 106, 7), disc(204, 78, 7), disc(244, 120, 7), disc(180, 128, 7), disc(214, 168, 7)) + _POT,
        behind=lines("M200 236V168M200 206L176 176M200 196L228 170", colour="#80583c", width=9), floor=338, reach=84,
    ),
    ("houseplants", "Boston Fern"): Drawing(
        "M200 236C176 170 130 140 70 150C100 176 150 200 192 238ZM200 236C170 140 130 96 92 90C120 130 160 190 196 238ZM200 236C186 140 190 90 204 60C220 96 216 160 204 238ZM200 236C226 150 268 100 312 94C286 134 240 190 206 238ZM200 236C228 176 272 146 332 154C300 178 250 204 206 238Z",
        lines("M196 234C160 180 126 126 106 104M200 234C196 170 200 110 204 84M204 234C236 180 274 126 296 106", colour="$l", width=4) + _POT,
        floor=338, reach=84,
    ),
    ("knitwear", "Cardigan"): Drawing(
        "M152 92L200 196L248 92L290 110L338 262L298 276L278 204V322H122V204L102 276L62 262L110 110Z",
        lines("M150 92L200 196L250 92M200 196V322", width=12) + fill("$w", disc(200, 220, 5), disc(200, 252, 5), disc(200, 284, 5))
        + fill("$d", "M122 302H278V326H122Z", "M62 262L102 276L107 256L67 242Z", "M338 262L298 276L293 256L333 242Z") + lines("M136 262H170M230 262H264", colour="$l", width=6),
        behind=fill("$k", "M156 92C176 104 224 104 244 92L200 190Z"), floor=334, patterned=True,
    ),
    ("coffee-makers", "French Press"): Drawing(
        "M146 118C150 108 250 108 254 118L274 136V160H126V136ZM126 296H274V326H126Z",
        fill("$k", disc(200, 62, 14))
        + lines("M200 76V112", colour="$k", width=7) + lines("M160 174V280", colour="$w", width=7) + lines("M252 160V296M148 160V296", colour="$d", width=6),
        behind=fill("#e6ecee", "M134 150H266V318H134Z") + fill("#5b3b2c", "M138 214H262V312H138Z") + lines("M200 150V210M146 210H254", colour="#8a949c", width=6) + lines("M264 176H318V282H264", colour="$k", width=14), floor=330, reach=90,
    ),
    ("coffee-makers", "Kettle"): Drawing(
        "M128 186C128 150 272 150 272 186L296 304C298 318 290 326 276 326H124C110 326 102 318 104 304Z",
        fill("$d", "M124 196C124 186 276 186 276 196L278 206H122Z") + fill("$k", disc(200, 148, 12)) + lines("M130 226L118 296", colour="$l", width=8) + fill("$a", disc(200, 262, 12)),
        behind=fill("$d", "M112 290L52 196L78 182L136 244Z") + lines("M142 170C136 84 264 84 258 170", colour="$k", width=13), floor=332, reach=110,
    ),
    ("weights", "Dumbbell"): Drawing(
        "M84 148H136C144 148 148 152 148 160V280C148 288 144 292 136 292H84C76 292 72 288 72 280V160C72 152 76 148 84 148ZM264 148H316C324 148 328 152 328 160V280C328 288 324 292 316 292H264C256 292 252 288 252 280V160C252 152 256 148 264 148Z",
        lines("M92 166V274M272 166V274", colour="$l", width=7) + fill("$a", disc(110, 220, 14), disc(290, 220, 14)),
        behind=fill("$k", "M140 202H260V238H140ZM52 190H76V250H52ZM324 190H348V250H324Z"), floor=298, reach=150,
    ),
    ("headlamps", "Lantern"): Drawing(
        "M132 280H268L276 316C278 324 272 328 264 328H136C128 328 122 324 124 316Z",
        fill("$b", "M140 132H260L246 104H154Z") + fill("#ffe9a6", "M148 132H252V280H148Z") + fill("$w", "M180 156C180 140 220 140 220 156V256H180Z") + lines("M148 132V280M252 132V280", colour="$k", width=7) + fill("$a", disc(200, 304, 8)),
        behind=lines("M156 112C150 40 250 40 244 112", colour="$k", width=8) + fill("#ffe9b0", disc(200, 206, 110)), floor=332, reach=96,
    ),
    ("watches", "Diver"): Drawing(
        "M160 56H240L244 132H156ZM156 268H244L240 344H160Z",
        fill("$a", disc(200, 200, 88), "M284 188h16v24h-16z") + fill("$k", disc(200, 200, 66)) + lines("M200 146V156M200 244V254M146 200H156M244 200H254", colour="$w", width=7)
        + lines("M200 200V162M200 200L232 206", colour="$w", width=7) + fill("$w", disc(200, 200, 6)) + lines("M200 116V128M200 272V284M116 200H128M272 200H284", colour="$k", width=5),
        behind=lines("M172 66V120M228 66V120", width=4), floor=354, reach=60,
    ),
    ("totes", "Tote"): Drawing(
        "M108 168H292V322C292 328 288 332 282 332H118C112 332 108 328 108 322Z",
        fill("$a", disc(200, 252, 34)) + fill("$b", disc(214, 242, 28)) + lines("M148 196V128C148 60 252 60 252 128V196", colour="$d", width=11) + lines("M108 184H292", width=4),
        floor=338, reach=104, patterned=True,
    ),
}  # fmt: skip
