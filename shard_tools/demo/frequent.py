"""Frequent English words: Debian's word list has no frequencies."""

from typing import Final

_TEXT: Final = """
able about above accept across action active actor add address adult advice afraid after against age ago agree
air airport alive all allow almost alone along already also always among amount anger angle animal ankle
answer any apart appear area argue arm army around arrive art article ask asleep attack aunt author autumn
average avoid awake award away baby bad bag bake balance ball band bank bar base basic basket bath battle
beach bean bear beat because become bed bedroom beef been before begin behave behind believe bell belong below
belt bench bend beside best better between beyond bicycle big bill bird birth biscuit bit bite bitter blame
blanket blind block blood blow board boat body boil bone book boot border bored boring borrow boss both bother
bottle bottom bowl box boy brain branch brave bread break breath brick bridge brief bright bring broken
brother brush bucket budget build building burn bury bus bush business busy but butter button buy cable cake
calm camera camp can candle cap car card care careful carpet carrot carry case cash castle catch cause ceiling
centre century certain chain chair chance change chapter charge cheap check cheek cheese chest chicken chief
child chin choice choose church circle class clean clear clever climb clock cloth cloud club coach coast coat
coin cold collar collect college comb come comfort common company compare complain complete concert condition
cook cookie cool copper copy corn corner correct cost cotton cough could count country couple courage course
court cousin cover cow crash crazy cream create credit crew crime crop cross crowd crown cry cup cupboard cure
current curtain curve custom cut cycle daily damage damp dance danger dark date daughter dead deaf deal dear
death debt decide deep deer defend degree delay deliver demand dentist depend desert design desk detail
develop dictionary did die differ dig dinner direct dirty discover discuss disease dish distance divide do
doll dollar double doubt draft dragon drama draw drawer dream dress drink drive drop drum dry duck dull during
dust duty each eager ear early earn earth east easy eat edge edit educate effect effort egg either elbow elect
elephant else empty end enemy energy engine enjoy enough enter entire equal escape even event ever every evil
exact example except excite excuse exercise exist expect expensive explain explode express extra eye face fact
factory fail faint fair fall false famous far farm farmer fashion fast fat father fault favour fear feather
feed feel female fence fever few field fight figure fill film final find finger finish fire firm first fish
fit fix flag flame flat flight float flood floor flour flow flower fly fold follow food fool foot football
force foreign forest forget forgive fork form fortune forward fox frame free freeze frequent fresh fridge frog
from front fruit fry fuel full fun funny fur furniture further future gain gallery game gap garage gas gate
gather gentle get giant gift giraffe girl give glad glass global glove glue go goal goat god gold golf grain
grand grape grass grateful grave great ground group grow guard guess guest guide guilty guitar gun habit hair
half hall hammer hand handle hang happen harbour hard hardly harm hat hate have head health hear heart heat
heavy height here hero hide high hill history hit hobby hold hole holiday hollow holy honest honey hook hope
horn horse hospital hot hotel huge human humble hungry hunt hurry hurt husband ice idea ideal if ill image
imagine impact important improve inch include increase indeed insect inside instead insult invent invite iron
island issue jacket jail jam jar jaw jealous jeans jelly job join joke journey joy judge juice jump jungle
junior just keen keep kettle key kick kid kill kind king kiss knee knife knock know ladder lady lake lamb land
lane laptop large last late laugh law lawyer lazy lead leaf learn least leather leave leg legal lemon lend
length less lesson let letter lettuce level library lid lie life lift like limit line lion lip liquid list
listen little live loan local lock lonely long look loose lorry lose lost lot loud lovely low luck lunch
machine mad magazine magic mail main make male man manage many map mark market marriage marry mask master
match mate material matter maybe meal mean measure meat medal media medicine meet melt member memory mend
mention menu mercy merry metal method middle might mile military milk mind mine mirror miss mistake mix mobile
modern money monkey month mood moon more most mother motor mouse mouth move much mud murder muscle museum must
mystery nail narrow nation nature near neat neck need needle neighbour neither nephew nervous nest net never
new news newspaper nice niece noise none nor normal north nose not note nothing notice novel now nuclear
number nurse nut obey object ocean odd offer office officer often oil old onion only open opera opinion or
orbit order other ought our out outside oven over owe own owner pack page pain paint pair palace pale pan
panic paper parcel parent park part partner party pass past pasta path patient pattern pay peace pear pen
pencil people pepper perfect perhaps period permit person phone photo phrase piano pick piece pig pillow pilot
pin pipe pity pizza place plain plan plane planet plant plastic plate platform pleasant plenty plug pocket
poem poet point police polite pool poor popular port position possible post pot potato pound power practice
pray prefer prepare present president press pretty prevent price priest prince print prison private prize
problem process produce profit promise proper protect proud prove public pull pump punish pupil pure push put
puzzle quality quarter queen question quick quite rabbit race railway rain raise range rapid rare rat rather
raw ray reach react ready real reason receive recent recipe record reduce refuse regret regular relax release
rely remain remember remind remove rent repair repeat reply report rescue respect rest result return reward
rhythm rice rich ride ring rise risk rival road roast rob rock roll roof room root rope rose rough round route
row royal rub rubber rubbish rude ruin rule run rush sad safe sail salad salary salt same sand sandwich
satisfy sauce saucer sausage save saw say scale scarf scene school science scissors score scream screen sea
search season seat secret see seed seem sell sense sentence separate serious serve service set settle several
severe sew shade shadow shake shall shallow shame shape share shark sharp she sheep sheet shelf shell shelter
shine ship shirt shock shoe shoot shop shore short should shoulder shout show shower shut shy sick side sign
silent silk silly silver similar simple since sing single sink sister sit situation size skill skin skirt sky
sleep slice slide slip slow small smart smell smile smoke smooth snake snow soap social sock soft soil soldier
solid solve some soon sort soul sound soup sour south space spare speak special speed spell spend spider
spirit split spoon sport spot spread spring square stage stairs stamp stand star state station stay steal
steam steel step stick stiff still stomach stone store storm story straight strange stranger stream street
stress stretch strike string strong student study stupid style subject succeed such sudden suffer sugar
suggest suit summer sun supper supply support suppose sure surface surprise swallow sweater sweet swim swing
switch symbol system tail take tale talk tall tank tape target task taste tax taxi tea teach team tear
telephone tell temper tend tennis tent terrible than that their them then there they thick thief thin thing
think thirsty throat through throw thumb thunder ticket tidy tie tiger tight tin tiny tired title toast
tobacco toe together toilet tomato tongue tonight tool tooth top total touch tour towards towel tower town toy
trade traffic train translate transport trap travel treat tree tremble triangle trick trip trouble trousers
truck true trumpet trust truth try tube tunnel twice twin type tyre ugly umbrella uncle under uniform union
unit until upper upset use useful usual valley value van variety various vegetable vehicle very view village
violin virus visit volume vote voyage wage waist wait wake walk wall wallet want war warm warn wash waste
watch wave weak wealth wear wedding weed week weigh weight well were west wet wheel when where which while
whistle who whole why wide wife wild will win wind wine wing winter wire wise wish with without wolf woman
wonder wood wool word work worker worry worse worst would wound wrap wrist wrong yacht yard yawn year yet
young youth zebra zoo anna peter david sarah michael maria thomas laura daniel emma robert julia simon helen
martin lucy oliver sophie
"""

FREQUENT: Final[tuple[str, ...]] = tuple(_TEXT.split())
"""Lower case. Those of the vocabulary, or too much like it, are left out where foreign words are chosen."""
